//! The CPU's fused kernels against the plain composition: results, and the gradient of the input
//! and of every parameter.

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use vitok::media::ClipShape;
use vitok::nn::{Attention, BlockKind, Rope, StackConfig};
use vitok::nn::{AttentionContext, Block, params};
use vitok::patches::{BatchLayout, Sequence, TokenGrid};

/// Sequences of these grids (frames, rows, columns), padded to the longest and `extra` positions.
fn layout(grids: &[(usize, usize, usize)], extra: usize) -> BatchLayout {
    let items = grids.iter().map(|&(frames, rows, cols)| Sequence {
        shape: ClipShape {
            frames,
            height: rows,
            width: cols,
        },
        grid: TokenGrid { frames, rows, cols },
    });
    let layout = BatchLayout::new(items.collect()).unwrap();
    let length = layout.length() + extra;
    layout.padded_to(length).unwrap()
}

fn layouts() -> Vec<BatchLayout> {
    vec![
        layout(&[(1, 1, 1)], 0),
        layout(&[(1, 8, 8), (1, 8, 8)], 0),
        layout(&[(1, 5, 13), (1, 7, 3), (1, 11, 12)], 0),
        layout(&[(3, 7, 5), (2, 3, 3)], 4),
        layout(&[(2, 16, 9)], 0),
    ]
}

fn values(count: usize, scale: f32, rng: &mut StdRng) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-scale..scale)).collect()
}

/// A block whose every parameter matters.
fn block(stack: &StackConfig, kind: BlockKind, device: &Device, seed: u64) -> Block {
    let mut rng = StdRng::seed_from_u64(seed);
    params::fill(Block::new(stack, kind, device), |name, shape| {
        let count = shape.iter().product();
        let scale = if shape.len() == 2 {
            1.5 / (shape[1] as f32).sqrt()
        } else {
            0.5
        };
        let mut values = values(count, scale, &mut rng);
        if shape.len() == 1 && !name.ends_with("bias") {
            values.iter_mut().for_each(|v| *v += 1.0);
        }
        Ok(values)
    })
    .unwrap()
}

fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.try_into_vec_as().unwrap()
}

/// Both are numbers, and differ by little beside the largest of them.
fn assert_close(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.1f32, |m, v| m.max(v.abs()));
    let worst = actual.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let worst = worst.fold(0.0, |m, d| if d.is_nan() { f32::INFINITY } else { m.max(d) });
    assert!(worst <= 2e-5 * largest, "{what}: {worst:e} beside {largest}");
}

fn check(stack: &StackConfig, kind: BlockKind, rope: Rope, attention: Attention, layout: &BatchLayout) {
    let case = format!("{stack:?} {kind:?} {rope:?} {attention:?} {:?}", layout.sequences());
    let shape = [layout.sequences().len(), layout.length(), stack.width];
    let mut rng = StdRng::seed_from_u64(7);
    let count = shape.iter().product();
    let x = TensorData::new(values(count, 2.0, &mut rng), shape);
    let weights = TensorData::new(values(count, 1.0, &mut rng), shape);

    let run = |autodiff: bool, fused: bool| {
        let device = match autodiff {
            true => Device::flex().autodiff(),
            false => Device::flex(),
        };
        let block = block(stack, kind, &device, 3);
        let x = Tensor::<3>::from_data(x.clone(), &device);
        let x = if autodiff { x.require_grad() } else { x };
        let context = if fused {
            AttentionContext::new
        } else {
            AttentionContext::composed
        };
        let context = context(&x, layout, attention, rope, stack.head_dim());
        assert_eq!(context.is_fused(), fused);
        let y = layout.clear_padding(block.forward(x.clone(), stack.heads, &context));
        (block, x, y)
    };
    let (_, _, expected) = run(false, false);
    let expected = host(expected);
    assert_close(&format!("{case}: result"), &host(run(false, true).2), &expected);

    let gradients = |fused| {
        let (block, x, y) = run(true, fused);
        let weights = Tensor::<3>::from_data(weights.clone(), &y.device());
        let all = (y.clone() * weights).sum().backward();
        let of_x = host(layout.clear_padding(x.grad(&all).unwrap()));
        (host(y), of_x, params::gradients(&block, &all))
    };
    let (y, of_x, actual) = gradients(true);
    let (_, expected_of_x, expected_gradients) = gradients(false);
    assert_close(&format!("{case}: result with autodiff"), &y, &expected);
    assert_close(&format!("{case}: input"), &of_x, &expected_of_x);
    assert_eq!(actual.len(), expected_gradients.len());
    for (name, expected) in expected_gradients {
        assert_close(
            &format!("{case}: {name}"),
            &host(actual[&name].clone()),
            &host(expected),
        );
    }
}

#[test]
fn fused_blocks_are_the_composed_ones() {
    let stack = |width, heads, hidden| StackConfig {
        width,
        depth: 1,
        heads,
        hidden,
    };
    // Widths that fill vectors and tiles, and such that fill neither.
    for (i, layout) in layouts().iter().enumerate() {
        for attention in [Attention::Full, Attention::Window(9), Attention::BlockCausal] {
            let stacks = [stack(64, 2, 96), stack(44, 1, 51)];
            check(&stacks[i % 2], BlockKind::Parallel, Rope::TwoD, attention, layout);
            check(&stacks[i % 2], BlockKind::Sequential, Rope::ThreeD, attention, layout);
        }
    }
    let wide = stack(320, 5, 800);
    check(&wide, BlockKind::Parallel, Rope::ThreeD, Attention::Full, &layouts()[4]);
}

#[test]
fn long_sequences_are_the_composed_ones() {
    // More panels than the MLP takes at once.
    let stack = StackConfig {
        width: 8,
        depth: 1,
        heads: 1,
        hidden: 10,
    };
    let layout = layout(&[(1, 70, 64)], 0);
    let window = Attention::Window(100);
    check(&stack, BlockKind::Parallel, Rope::TwoD, window, &layout);
    check(&stack, BlockKind::Sequential, Rope::TwoD, window, &layout);
}

#[test]
fn a_window_needs_no_square_of_memory() {
    // The scores of all 65 536 tokens with all would take 16 GiB a head.
    let stack = StackConfig {
        width: 8,
        depth: 1,
        heads: 1,
        hidden: 8,
    };
    let block = block(&stack, BlockKind::Parallel, &Device::flex(), 3);
    let run = |layout: &BatchLayout| {
        let mut rng = StdRng::seed_from_u64(7);
        let shape = [1, layout.length(), stack.width];
        let x = TensorData::new(values(shape.iter().product(), 2.0, &mut rng), shape);
        let x = Tensor::<3>::from_data(x, &Device::flex());
        let context = AttentionContext::new(&x, layout, Attention::Window(40), Rope::TwoD, 8);
        host(block.forward(x, stack.heads, &context))
    };
    let long = run(&layout(&[(1, 256, 256)], 0));
    let short = run(&layout(&[(1, 1, 256)], 0));
    // The first row of tokens, but for those at its end, attends to none of the others.
    let count = (256 - 40) * stack.width;
    assert_close("the first row", &long[..count], &short[..count]);
}
