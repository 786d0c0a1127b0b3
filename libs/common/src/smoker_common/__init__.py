"""What every image of Smoker needs: settings, logging, life cycle, listeners, HTTP and the admin endpoints."""
