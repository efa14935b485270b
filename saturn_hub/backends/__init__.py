"""Where work runs, behind one port (`base`): local processes here, Kubernetes beyond one machine."""
