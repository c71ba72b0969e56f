class Failed(Exception):
    """It cannot go on; the message is for the person in front of the screen."""
