"""Many searches, finetunings and evaluations, and what comes out of them."""
