"""Problem scripts: files that define `problem(**parameters)` and, if they like, a `recipe`."""

from __future__ import annotations

import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from numbers import Integral, Number
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from pinnml.errors import PinnmlError, ScriptError
from pinnml.problem import Problem
from pinnml.run import Recipe

#: What `Script.parameters` holds for a parameter without a default.
REQUIRED = inspect.Parameter.empty
#: Files under these folders are never the user's own.
LIBRARIES = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
FOREIGN = (Path(__file__).parents[1], *map(Path, LIBRARIES))


@dataclass(frozen=True)
class Script:
    """A problem script that was run. cases: the names that `case` may take; parameters: name -> default."""

    path: Path
    title: str
    cases: tuple[str, ...]
    parameters: Mapping[str, Any]
    module: ModuleType

    @property
    def name(self) -> str:
        """The name of the file without its ending."""
        return self.path.stem

    def problem(self, **parameters: Any) -> Problem:
        """The problem for these parameters; one without a name is called after the script and the case.

        Raises ScriptError for parameters that are not those of the script and for an exception of the script's own.
        """
        complete = self._complete(parameters)
        with _running(self.path, self.module, "problem()"):
            found = self.module.problem(**complete)
        if not isinstance(found, Problem):
            raise ScriptError(
                f"{self.path}: problem() does not return a Problem",
                expected="a Problem",
                got=_kind(found),
                cure="end it with: return Problem(domain=..., fields=..., equations=...)",
            )
        case = complete.get("case") if self.cases else None
        return found if found.name else replace(found, name=f"{self.name} {case}" if case else self.name)

    def recipe(self, **parameters: Any) -> Recipe:
        """The script's own recipe, or a plain one; a function receives those of the parameters that it names."""
        complete = self._complete(parameters)
        found = getattr(self.module, "recipe", Recipe())
        if not isinstance(found, Recipe) and callable(found):
            with _running(self.path, self.module, "recipe()"):
                found = found(**_named(found, complete))
        if not isinstance(found, Recipe):
            raise ScriptError(
                f"{self.path}: recipe is not a Recipe",
                expected="a Recipe, or a function of the problem's parameters that returns one",
                got=_kind(found),
                cure="write: recipe = Recipe(network=..., solver=..., points=..., expect=...)",
            )
        return found

    def _complete(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The defaults, with what was given in their place."""
        open_ended = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(self.module.problem).parameters.values())
        for name in parameters:
            if name not in self.parameters and not open_ended:
                what = "no parameters" if name != "case" else "no cases, and no parameters"
                raise self._unknown(f"unknown parameter '{name}'", name, tuple(self.parameters), what)
        given = {name: _fitted(self.path, name, value, self.parameters.get(name)) for name, value in parameters.items()}
        complete = {**self.parameters, **given}
        for name, value in complete.items():
            if value is REQUIRED:
                raise ScriptError(f"{self.path}: problem() needs '{name}'", cure=f"give it: {name}=VALUE")
        case = complete.get("case")
        if self.cases and case not in self.cases:
            raise self._unknown(f"unknown case '{case}'", str(case), self.cases, "no cases")
        return complete

    def _unknown(self, what: str, name: str, valid: Sequence[str], none: str) -> ScriptError:
        return ScriptError(
            f"{self.path}: {what}",
            expected="one of " + ", ".join(valid) if valid else none,
            got=f"'{name}'",
            cure=_nearest(name, valid) or ("choose one of these, or leave it out" if valid else "leave it out"),
        )


def load_script(path: str | Path) -> Script:
    """Run a problem script in a module of its own and take note of what it offers.

    Its folder can be imported from while it runs; no bytecode is left behind. Raises ScriptError for a file that
    is not there, cannot be read as Python, raises, or does not define `problem`.
    """
    path = _found(Path(path))
    module = ModuleType(f"{path.stem} (problem script)")  # no package is called so
    module.__file__ = str(path.resolve())
    code = _compiled(path)
    with _running(path, module, "the script"):
        exec(code, module.__dict__)
    problem = getattr(module, "problem", None)
    if not callable(problem):
        names = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        raise ScriptError(
            f"{path}: no function `problem`",
            expected="def problem(...) -> Problem",
            got=_kind(problem) if problem is not None else "definitions of " + (", ".join(names) or "nothing"),
            cure=_nearest("problem", names) or "'pinnml new NAME' writes a script to start from",
        )
    title = (module.__doc__ or "").strip().partition("\n")[0]
    signature = inspect.signature(problem).parameters.values()
    parameters = {p.name: p.default for p in signature if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    return Script(path, title, _cases(problem), parameters, module)


def problem_of(path: Path, values: Mapping[str, Any]) -> Problem:
    """The problem of a script: what other processes are told to make, since functions cannot be sent to them."""
    return load_script(path).problem(**values)


def own_lines(error: BaseException, folder: Path) -> list[str]:
    """Where an exception passed through files of the user's: `File, line, function`, and the line itself."""
    lines = []
    for frame in traceback.extract_tb(error.__traceback__):
        if _is_own(frame.filename, folder):
            lines += [f"{frame.filename}, line {frame.lineno}, in {frame.name}", f"    {frame.line}"]
    return lines


def script_error(error: BaseException, path: Path, what: str) -> ScriptError | None:
    """An exception of the user's code as a named error; None if no line of the user's is to blame."""
    lines = own_lines(error, path.parent)
    if not lines:
        return None
    trouble = "".join(traceback.format_exception_only(error)).strip().splitlines()
    indent = "\n" + 12 * " "
    place = lines[-2].rpartition(", in ")[0]
    cure = f"mend {place}"
    return ScriptError(f"{path}: {what} raised {type(error).__name__}", got=indent.join([*trouble, *lines]), cure=cure)


def _found(path: Path) -> Path:
    """The path, if there is a file."""
    if path.is_file():
        return path
    folder = path.parent
    names = [file.name for file in folder.glob("*.py")] if folder.is_dir() else []
    near = get_close_matches(path.name, names, n=1) or get_close_matches(f"{path.name}.py", names, n=1)
    raise ScriptError(
        f"there is no script '{path}'",
        expected="a Python file",
        got="a folder" if path.is_dir() else "nothing of that name",
        cure=f"did you mean '{folder / near[0]}'?" if near else "'pinnml list FOLDER' shows the scripts of a folder",
    )


def _compiled(path: Path) -> Any:
    try:
        return compile(path.read_bytes(), str(path.resolve()), "exec", dont_inherit=True)
    except SyntaxError as error:
        place = f"line {error.lineno}" if error.lineno else "the file"
        raise ScriptError(
            f"{path}, {place}: {error.msg}",
            expected="Python",
            got=(error.text or "").strip() or "text that cannot be read",
            cure=f"mend {place}",
        ) from None
    except (ValueError, OSError) as error:  # null bytes, or a file that may not be read
        raise ScriptError(f"{path} cannot be read", expected="Python in UTF-8", got=str(error)) from None


@contextmanager
def _running(path: Path, module: ModuleType, what: str) -> Iterator[None]:
    """Code of the script's runs inside: its folder comes first on sys.path, and its errors are told by line.

    Modules that it imports from its folder are its own: another script may have others of the same names.
    """
    before, saved_path, saved_flag = set(sys.modules), list(sys.path), sys.dont_write_bytecode
    sys.path.insert(0, str(path.resolve().parent))
    sys.dont_write_bytecode = True
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        yield
    except PinnmlError as error:
        lines = own_lines(error, path.parent)
        place = lines[-2].rpartition(", in ")[0].rpartition(", ")[2] if lines else what
        raise error.within(f"{path}, {place}")  # noqa: B904 - the same error, told where it happened
    except (Exception, SystemExit) as error:
        raise script_error(error, path, what) or ScriptError(f"{path}: {what} raised", got=repr(error)) from error
    finally:
        sys.path[:], sys.dont_write_bytecode = saved_path, saved_flag
        for name in set(sys.modules) - before:
            if _is_own(getattr(sys.modules[name], "__file__", None) or "", path.parent):
                del sys.modules[name]


def _is_own(file: str, folder: Path) -> bool:
    """Whether a file belongs to the user: it lies in the script's folder, and not in a library there."""
    inside = Path(file).is_relative_to(folder.resolve())
    return inside and not any(Path(file).is_relative_to(foreign) for foreign in FOREIGN)


def _cases(problem: Callable[..., Any]) -> tuple[str, ...]:
    """The names in the annotation of `case`."""
    try:
        hint = get_type_hints(problem).get("case")
    except Exception:  # annotations that cannot be resolved say nothing
        return ()
    return tuple(map(str, get_args(hint))) if get_origin(hint) is Literal else ()


def _named(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that a function has an argument for."""
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return dict(values)
    return {name: value for name, value in values.items() if name in parameters}


def _fitted(path: Path, name: str, value: Any, default: Any) -> Any:
    """The value as the kind of number that its default is; ScriptError for something else in a number's place."""
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        return value
    if isinstance(value, bool) or not isinstance(value, Number):
        raise ScriptError(
            f"{path}: the parameter '{name}'",
            expected=f"a number, such as {default:g}",
            got=repr(value),
            cure=f"{name}={default:g}",
        )
    return float(value) if isinstance(default, float) and isinstance(value, Integral) else value


def _nearest(name: str, valid: Sequence[str]) -> str | None:
    near = get_close_matches(name, valid, n=1)
    return f"did you mean '{near[0]}'?" if near else None


def _kind(value: Any) -> str:
    return "None" if value is None else f"{type(value).__name__} {value!r:.60}"
