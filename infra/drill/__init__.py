"""Drills: the local stack is broken on purpose, and every link from the alert to the cure has to show that it holds."""
