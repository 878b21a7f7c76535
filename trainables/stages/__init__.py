"""What a training is made of: its task, its phases, and how far each pretrains; nothing is trained here."""
