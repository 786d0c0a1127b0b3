"""The words for how a probe or a request ended, and which errors mean which."""
