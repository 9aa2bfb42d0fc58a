"""A room with a robot that speaks, a microphone and people, and what duplex makes of it. No ROS."""
