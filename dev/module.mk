# developer targets
