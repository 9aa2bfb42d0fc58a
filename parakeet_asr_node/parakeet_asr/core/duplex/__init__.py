"""Listening while the robot speaks: gate, echo filter, echo cancellation, barge-in. numpy only."""
