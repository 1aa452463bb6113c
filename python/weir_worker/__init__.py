"""Serves one MLflow model over an inherited socket; weir starts it with the model's own Python."""
