//! Parameters by name: the path of fields that leads to them.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Gradients, Shape, Tensor, TensorData};

use crate::Result;
use crate::device::to_host;

/// Gives every parameter of `module` the values that `source` returns for its name and shape.
///
/// # Errors
/// The first error of `source`; the module is lost then.
pub fn fill<M: Module>(module: M, source: impl FnMut(&str, &[usize]) -> Result<Vec<f32>>) -> Result<M> {
    let mut filler = Filler {
        path: Vec::new(),
        source,
        outcome: Ok(()),
    };
    let module = module.map(&mut filler);
    filler.outcome.map(|()| module)
}

/// Calls `visit(name, shape, parameter)` for every parameter.
pub fn for_each<M: Module>(module: &M, visit: impl FnMut(&str, &[usize], &dyn Parameter)) {
    module.visit(&mut Walker {
        path: Vec::new(),
        visit,
    });
}

/// Every parameter's value, flat and outside of the autodiff graph.
pub fn values<M: Module>(module: &M) -> BTreeMap<String, Tensor<1>> {
    let mut all = BTreeMap::new();
    for_each(module, |name, _, parameter| {
        all.insert(name.to_owned(), parameter.flat());
    });
    all
}

/// Every gradient there is, flat.
pub fn gradients<M: Module>(module: &M, gradients: &Gradients) -> BTreeMap<String, Tensor<1>> {
    let mut all = BTreeMap::new();
    for_each(module, |name, _, parameter| {
        if let Some(gradient) = parameter.gradient(gradients) {
            all.insert(name.to_owned(), gradient);
        }
    });
    all
}

/// Replaces every parameter by what `update` returns for its name, rank and flat value. If nothing but the module holds
/// the parameters, `update` gets the only reference to a value and can change it in place. The module must be on an
/// autodiff device.
pub fn update<M: Module>(module: M, update: impl FnMut(&str, usize, Tensor<1>) -> Tensor<1>) -> M {
    module.map(&mut Updater {
        path: Vec::new(),
        update,
    })
}

/// A parameter of any rank.
pub trait Parameter {
    /// A function that reads the values later. It holds the tensor, not a copy.
    fn reader(&self) -> Reader;
    /// The value, flat and outside of the autodiff graph.
    fn flat(&self) -> Tensor<1>;
    /// Its gradient, flat, if it has one.
    fn gradient(&self, gradients: &Gradients) -> Option<Tensor<1>>;
}

/// Reads a parameter's values from its device.
pub type Reader = Box<dyn Fn() -> Result<Vec<f32>>>;

impl<const D: usize> Parameter for Param<Tensor<D>> {
    fn reader(&self) -> Reader {
        let tensor = self.val();
        Box::new(move || to_host(tensor.clone()))
    }

    fn flat(&self) -> Tensor<1> {
        flat(self.val().without_autodiff())
    }

    fn gradient(&self, gradients: &Gradients) -> Option<Tensor<1>> {
        self.val().grad(gradients).map(flat)
    }
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.shape().num_elements();
    x.reshape([count])
}

struct Filler<F> {
    path: Vec<String>,
    source: F,
    outcome: Result<()>,
}

impl<F: FnMut(&str, &[usize]) -> Result<Vec<f32>>> ModuleMapper for Filler<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.outcome.is_err() {
            return param;
        }
        let shape = param.lazy_shape().to_vec();
        match (self.source)(&self.path.join("."), &shape) {
            Ok(values) => Param::from_data(TensorData::new(values, shape), &param.lazy_device()),
            Err(error) => {
                self.outcome = Err(error);
                param
            }
        }
    }
}

struct Updater<F> {
    path: Vec<String>,
    update: F,
}

impl<F: FnMut(&str, usize, Tensor<1>) -> Tensor<1>> ModuleMapper for Updater<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape();
        let (id, tensor, mapper) = param.consume();
        let value = flat(tensor.without_autodiff());
        let value = (self.update)(&self.path.join("."), D, value);
        let value = Tensor::from_inner(value.reshape(shape)).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}

struct Walker<F> {
    path: Vec<String>,
    visit: F,
}

impl<F: FnMut(&str, &[usize], &dyn Parameter)> ModuleVisitor for Walker<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().to_vec();
        (self.visit)(&self.path.join("."), &shape, param);
    }
}

/// A parameter with a shape and no memory yet; [`init`](super::init) or the weight files fill it.
pub(crate) fn uninitialized<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::uninitialized(
        ParamId::new(),
        move |device, track| {
            let zeros = Tensor::zeros(shape, device);
            if track { zeros.require_grad() } else { zeros }
        },
        device.clone(),
        true,
        Shape::new(shape),
    )
}
