"""How a probe or a request ended, in one word, and the errors that say so."""
