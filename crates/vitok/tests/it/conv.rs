//! The CPU's convolutions and pools against Burn's operations.

use burn::tensor::{Device, Distribution, Tensor};
use vitok::internals::{Activation, Convolution, Window, max_pool, max_pool_composed, mean_pool, mean_pool_composed};

use crate::golden::assert_close;

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &Device::flex())
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.try_into_vec_as().unwrap()
}

/// Windows of all kinds on images and on clips; for some the output positions do not fill a panel.
fn windows() -> Vec<(Window, [usize; 3])> {
    vec![
        (Window::square(1, 1, 0), [1, 9, 13]),
        (Window::square(3, 1, 1), [1, 8, 8]),
        (Window::square(3, 2, 0), [1, 35, 17]),
        (Window::square(11, 4, 2), [1, 31, 40]),
        (Window::rectangle([1, 7], 1, [0, 3]), [1, 17, 17]),
        (Window::same([1, 5, 5], [1, 2, 2], [1, 14, 15]), [1, 14, 15]),
        (Window::same([3; 3], [1; 3], [4, 7, 6]), [4, 7, 6]),
        (Window::same([7; 3], [2; 3], [9, 12, 12]), [9, 12, 12]),
    ]
}

#[test]
fn convolutions_are_burns() {
    for (window, [t, h, w]) in windows() {
        for (inputs, outputs, groups, activation) in [
            (3, 5, 1, Activation::None),
            (40, 7, 1, Activation::Relu),
            (6, 6, 6, Activation::Relu6),
        ] {
            let [kt, kh, kw] = window.kernel;
            let convolution = Convolution {
                weight: random([outputs, inputs / groups, kt, kh, kw]),
                bias: random([outputs]),
                groups,
                activation,
            };
            let x = random([2, inputs, t, h, w]);
            let actual = convolution.forward(x.clone(), window);
            let expected = convolution.composed(x, window);
            assert_eq!(actual.dims(), expected.dims(), "{window:?}");
            assert_close("convolution", &values(actual), &values(expected), 1e-5);
        }
    }
}

#[test]
fn pools_are_burns() {
    for (window, [t, h, w]) in windows() {
        let x = random([2, 3, t, h, w]);
        let [actual, expected] = [max_pool(x.clone(), window), max_pool_composed(x.clone(), window)].map(values);
        assert_eq!(actual, expected, "{window:?}");
        // Burn's mean pools on images divide by what its padding leaves only where both sides
        // have as much of it.
        if window.is_2d() && window.pad_before == window.pad_after {
            for count_padding in [true, false] {
                let actual = mean_pool(x.clone(), window, count_padding);
                let expected = mean_pool_composed(x.clone(), window, count_padding);
                assert_close("mean", &values(actual), &values(expected), 1e-5);
            }
        }
    }
}
