"""From a study's trials to registered schedules: confirm the best trials with new seeds and register two of them."""
