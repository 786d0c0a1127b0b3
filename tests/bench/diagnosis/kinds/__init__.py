"""The kinds of faults, by what breaks: each file enters its own into the table when it is imported."""

from . import healthy, loss, places, policies, probers, protocols, services

ALL_FILES = (places, protocols, loss, policies, services, probers, healthy)
