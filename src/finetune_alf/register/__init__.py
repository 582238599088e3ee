"""From a study's trials to registered schedules: confirm the best over fresh seeds, choose two, register them."""
