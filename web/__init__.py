"""The News page and the links in mails, inside Airflow's own web server."""
