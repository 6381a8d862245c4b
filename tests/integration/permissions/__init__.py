"""The functions' IAM policies, compared with every call that the functions make."""
