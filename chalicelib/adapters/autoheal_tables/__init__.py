"""The healer's memory in DynamoDB: four tables, and no other store, so that it works when all else is down."""
