"""From chosen candidates to the family's networks: final trainings, teachers, and one network for each budget."""
