//! Parameters by name: the path of fields that leads to them.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::Result;
use crate::device::to_host;

/// Gives every parameter of `module` the values that `source` returns for its name and shape.
///
/// # Errors
/// The first error of `source`; the module is lost then.
pub fn fill<M: Module>(
    module: M,
    source: impl FnMut(&str, &[usize]) -> Result<Vec<f32>>,
) -> Result<M> {
    let mut filler = Filler {
        path: Vec::new(),
        source,
        outcome: Ok(()),
    };
    let module = module.map(&mut filler);
    filler.outcome.map(|()| module)
}

/// Calls `visit(name, shape, values)` for every parameter.
pub fn for_each<M: Module>(module: &M, visit: impl FnMut(&str, &[usize], ParamValues<'_>)) {
    module.visit(&mut Walker {
        path: Vec::new(),
        visit,
    });
}

/// A parameter's values, not read until asked for.
pub struct ParamValues<'a>(&'a dyn Fn() -> Reader);

/// Reads a parameter's values from its device. Holding it holds the tensor, not a copy.
pub type Reader = Box<dyn Fn() -> Result<Vec<f32>>>;

impl ParamValues<'_> {
    /// Something that reads the values later.
    pub fn reader(&self) -> Reader {
        (self.0)()
    }
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

struct Walker<F> {
    path: Vec<String>,
    visit: F,
}

impl<F: FnMut(&str, &[usize], ParamValues<'_>)> ModuleVisitor for Walker<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().to_vec();
        let reader = || -> Reader {
            let tensor = param.val();
            Box::new(move || to_host(tensor.clone()))
        };
        (self.visit)(&self.path.join("."), &shape, ParamValues(&reader));
    }
}
