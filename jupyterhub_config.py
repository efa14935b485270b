"""JupyterHub on one machine with Saturn Hub. Add your own settings below; what you set here wins."""

from saturn_hub import configure

c = get_config()  # noqa: F821
configure(c, embedded=True)
