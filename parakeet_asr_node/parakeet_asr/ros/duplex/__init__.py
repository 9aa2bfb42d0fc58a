"""What the node does while the robot talks: who knows that it talks, and who is told that a person does."""
