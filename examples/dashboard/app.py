"""A dashboard: `streamlit run app.py`."""

import streamlit as st

st.title("Customers")
calls = st.slider("Calls to support", 0, 10, 3)
months = st.slider("Months with us", 1, 60, 12)
st.metric("Score", round(calls / (calls + months / 6), 3))
