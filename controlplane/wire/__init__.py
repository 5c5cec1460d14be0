"""What several edges say on the wire."""
