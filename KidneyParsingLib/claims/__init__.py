"""The papers' claims measured again: small trainings on the same made CTs with the same budget, and one table."""
