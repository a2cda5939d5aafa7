"""A small safe language for rule conditions: the parser, which refuses what is outside it.

Numbers, names, + - * /, comparisons, `in`, and/or/not, and the words of `vocabulary`. The text is
parsed with Python's own parser and walked node by node; nothing is ever handed to `eval`. Any
other construct is refused when the rule is loaded, not when a month is closed.

There are two back ends for one tree: `exact` computes in Decimal, a row at a time; `compiled`
makes steps over the columns of a fleet. Without a schema a condition is about one month: every name
is a number, and only arithmetic and `abs`, `min`, `max` are spoken.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from tanzheng.analytics.errors import PackInvalid
from tanzheng.analytics.rules.vocabulary import COUNT_MAX, NUMBER, TRUTH, WORDS, Group, Type

TEXT_CHARS_MAX = 500
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
MEMBERSHIPS = (ast.In, ast.NotIn)
OPERATIONS = (ast.Add, ast.Sub, ast.Mult, ast.Div)


@dataclass(frozen=True, slots=True)
class Schema:
    """What a condition may speak of: columns and parameters with their types, groups of words."""

    columns: Mapping[str, Type]
    parameters: frozenset[str]
    groups: frozenset[Group]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed condition, or a number of a message, and the names it reads."""

    text: str
    tree: ast.expr
    names: frozenset[str]
    type: Type

    @classmethod
    def parse(cls, text: str, schema: Schema | None = None) -> "Expression":
        """The condition written as `text`; `PackInvalid` for anything outside the language."""
        expression = cls.value(text, schema)
        if expression.type.kind != "truth":
            raise PackInvalid(f"expected a condition that is true or false, got {text!r}")
        return expression

    @classmethod
    def value(cls, text: str, schema: Schema | None = None) -> "Expression":
        """Like `parse`, of any kind: a number, a text or a date of a message."""
        if len(text) > TEXT_CHARS_MAX:
            raise PackInvalid(f"expected a condition of at most {TEXT_CHARS_MAX} characters")
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise PackInvalid(f"expected a condition, got {text!r}: {error}") from None
        checker = _Checker(schema)
        found = checker.check(tree)
        return cls(text, tree, frozenset(checker.names), found)

    def holds(self, values: Mapping[str, Decimal]) -> bool:
        """Whether the condition is true of `values`, which must name all of `names`.

        A division by zero is not known, and a condition that is not known does not hold.
        """
        from tanzheng.analytics.rules.exact import Row, evaluate

        return evaluate(self.tree, Row(values)) is True

    def calls(self) -> Iterator[tuple[str, list[ast.expr]]]:
        """Each word of the condition with its arguments."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield node.func.id, node.args


@dataclass(slots=True)
class _Checker:
    """Refuses what the language has not, collects names, finds the type of each node."""

    schema: Schema | None
    names: set[str] = field(default_factory=set)

    def check(self, node: ast.expr) -> Type:
        match node:
            case ast.BoolOp(values=parts):
                return self._truths(parts)
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return self._truths([part])
            case ast.Compare():
                return self._comparison(node)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, OPERATIONS):
                return self._operation(node, self.number(left), self.number(right))
            case ast.UnaryOp(op=ast.USub(), operand=part):
                return self.number(part)
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if self._speaks(name):
                return self._word(name, parts, node)
            case ast.Name(id=name):
                return self._name(name)
            case ast.Constant(value=value):
                return self._literal(node, value)
        raise _outside(node)

    def _literal(self, node: ast.expr, value: object) -> Type:
        if isinstance(value, str) and self.schema is not None:
            return Type("text")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _outside(node)
        if not Decimal(repr(value)).is_finite():
            raise PackInvalid("expected finite numbers in a condition")
        return NUMBER

    def number(self, node: ast.expr) -> Type:
        found = self.check(node)
        if found.kind != "number":
            raise PackInvalid(f"condition: expected a number, got {ast.unparse(node)!r}")
        return found

    def _truths(self, parts: list[ast.expr]) -> Type:
        for part in parts:
            if self.check(part).kind != "truth":
                raise PackInvalid(f"condition: expected a truth value, got {ast.unparse(part)!r}")
        return TRUTH

    def _name(self, name: str) -> Type:
        self.names.add(name)
        if self.schema is None:
            return NUMBER
        if name not in self.schema.columns:
            raise PackInvalid(f"condition: expected a column or a parameter, got {name!r}")
        return self.schema.columns[name]

    def _speaks(self, name: str) -> bool:
        if name not in WORDS:
            return False
        group = WORDS[name].group
        return group in self.schema.groups if self.schema else group == "basic"

    def _comparison(self, node: ast.Compare) -> Type:
        sides = [node.left, *node.comparators]
        if isinstance(node.ops[0], MEMBERSHIPS) and self.schema is not None:
            return self._membership(node)
        types = [self.check(side) for side in sides]
        if types[0].kind == "truth" or len({item.kind for item in types}) > 1:
            raise PackInvalid(f"condition: {ast.unparse(node)!r} compares what is not alike")
        allowed = (ast.Eq, ast.NotEq) if types[0].kind == "text" else COMPARISONS
        if not all(isinstance(op, allowed) for op in node.ops):
            raise _outside(node)
        for left, right in pairwise(types):
            _alike(node, left, right)
        return TRUTH

    def _membership(self, node: ast.Compare) -> Type:
        match node.comparators:
            case [ast.Tuple(elts=[_, *_] as choices)] if self.check(node.left).kind == "text":
                if all(_literal(choice) for choice in choices):
                    return TRUTH
        raise PackInvalid(f"condition: expected TEXT in (literals), got {ast.unparse(node)!r}")

    def _operation(self, node: ast.BinOp, left: Type, right: Type) -> Type:
        if isinstance(node.op, ast.Add | ast.Sub):
            return _alike(node, left, right)
        return NUMBER

    def _word(self, name: str, parts: list[ast.expr], node: ast.expr) -> Type:
        word = WORDS[name]
        if len(parts) < len(word.takes) or (len(parts) > len(word.takes) and not word.more):
            raise PackInvalid(f"condition: {ast.unparse(node)!r} has not the arguments of {name}")
        wanted = [*word.takes, *[word.takes[-1]] * (len(parts) - len(word.takes))]
        if word.group == "series" and not self._varies(parts[0]):
            raise PackInvalid(f"condition: {ast.unparse(node)!r} looks back at no column")
        types = [self._argument(name, *pair) for pair in zip(wanted, parts, strict=True)]
        if name in {"min", "max"}:
            for item in types[1:]:
                _alike(node, types[0], item)
        return types[0] if word.same else word.gives

    def _varies(self, part: ast.expr) -> bool:
        assert self.schema is not None
        columns = self.schema.columns.keys() - self.schema.parameters
        return any(isinstance(item, ast.Name) and item.id in columns for item in ast.walk(part))

    def _argument(self, name: str, wanted: str, part: ast.expr) -> Type:
        if wanted == "count":
            match part:
                case ast.Constant(value=int() as n) if 0 <= n <= COUNT_MAX[name] and n is not True:
                    return NUMBER
            raise PackInvalid(f"condition: {name} expected a count, got {ast.unparse(part)!r}")
        if name.endswith("_sharing") and not isinstance(part, ast.Name):
            raise PackInvalid(f"condition: {name} expected a column, got {ast.unparse(part)!r}")
        found = self.check(part)
        fits = _literal(part) if wanted == "literal" else wanted in {"any", found.kind}
        if not fits:
            raise PackInvalid(f"condition: {name} expected a {wanted}, got {ast.unparse(part)!r}")
        return found


def _outside(node: ast.expr) -> PackInvalid:
    return PackInvalid(f"condition: {ast.unparse(node)!r} is outside the rule language")


def _literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _alike(node: ast.expr, left: Type, right: Type) -> Type:
    """The common type; `PackInvalid` where two stated units differ: a factor is to be written."""
    if left.unit is not None and right.unit is not None and left.unit != right.unit:
        raise PackInvalid(f"condition: {ast.unparse(node)!r} mixes {left.unit} and {right.unit}")
    return left if left.unit is not None else right
