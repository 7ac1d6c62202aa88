"""What all tests share: properties are held however slow the machine is at the moment."""

from hypothesis import settings

settings.register_profile("project", deadline=None)
settings.load_profile("project")
