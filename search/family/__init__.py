"""What is handed over: members, their export, their cards."""
