import numpy as np

from cvqn.lab.training.monitor import middle


def test_of_a_held_out_picture_the_middle_is_monitored():
    picture = np.random.default_rng(0).integers(0, 256, (400, 621, 3), np.uint8)
    np.testing.assert_array_equal(middle(picture), picture[72:328, 182:438])
    np.testing.assert_array_equal(middle(picture[:, :200]), picture[72:328, :200])
    np.testing.assert_array_equal(middle(picture[:100, :200]), picture[:100, :200])
    assert not np.shares_memory(middle(picture), picture)  # of a hundred pictures, only the middles stay in memory
