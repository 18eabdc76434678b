"""The services that the chat channel sends to, one module each; `registry` lists them."""
