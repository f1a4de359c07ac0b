import time

from hypothesis import given, settings
from hypothesis import strategies as st


@given(nothing=st.none())
@settings(max_examples=1)
def test_an_example_may_take_longer_than_200_ms(nothing):
    time.sleep(0.3)
