"""AetherLink Command Center: a CRM whose events are never lost, and an ops side that heals."""
