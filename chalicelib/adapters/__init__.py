"""The machine room: each port of a room, filled by something real. Only `bootstrap` imports from here."""
