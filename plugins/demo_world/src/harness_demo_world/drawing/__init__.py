"""Images of the drawn world: canvas, people, hands, faces, gaze and pairs."""
