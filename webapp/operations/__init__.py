"""Run the installation: health, metrics, alerts, backup."""
