"""The kernels through the real compiler, for an H100 or H200, on any machine.

What the interpreter does not show: types, inline PTX, layouts and registers.
"""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip('triton', minversion='3.4')

SCRIPT = """
import itertools, json, sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from mmdet_kdrank.ops.backends.triton.finish import finish
from mmdet_kdrank.ops.backends.triton.pairs import pairs
from mmdet_kdrank.ops.backends.triton.prepare import prepare

TYPES = {'mask': '*u8', 'is_narrow': '*i32', 'k': 'fp32', 'largest_range': 'fp32'}
INTEGERS = ('rows', 'columns', 'count', 'student_n', 'student_c', 'teacher_n', 'teacher_c')
TYPES.update(dict.fromkeys(INTEGERS, 'i32'))

def compile(kernel, warps, constants, **types):
    signature = {name: '*fp32' for name in kernel.arg_names} | TYPES | types
    signature |= dict.fromkeys(constants, 'constexpr')
    source = ASTSource(kernel, {name: signature[name] for name in kernel.arg_names}, constants)
    return triton.compile(source, target=GPUTarget('cuda', 90, 32), options={'num_warps': warps})

flags, shape, ptx = (False, True), {'BLOCK_N': 32}, []
for masked, dtype in itertools.product(flags, ('*fp32', '*bf16', '*fp16')):
    constants = {'EXPONENTIALS': True, 'MASKED': masked, 'BLOCK_C': 32, **shape}
    ptx.append(compile(prepare, 4, constants, student=dtype).asm['ptx'])
for norms in flags:
    constants = {'EXPONENTIALS': True, 'NORMS': norms, 'BLOCK_C': 32, **shape}
    ptx.append(compile(finish, 4, constants).asm['ptx'])
for phi, half, norms, masked in itertools.product(sys.argv[1:], flags, flags, flags):
    constants = {'EXPONENTIALS': phi == 'tanh', 'PHI_S': phi, 'PHI_T': phi, 'NORMS': norms}
    constants |= {'MASKED': masked, 'HALF': half, 'BLOCK_I': 8, **shape}
    ptx.append(compile(pairs, 1, constants).asm['ptx'])
print(json.dumps({
    'kernels': len(ptx),
    'atomics': sum('atom' in text or 'red.global' in text for text in ptx),
    'reciprocals': sum('rcp.approx.ftz.f32' in text for text in ptx),
}))
"""


@pytest.mark.parametrize('surrogates', [['tanh', 'sign'], ['algebraic', 'erf', 'atan']])
def test_compiles_for_hopper_without_atomics(tmp_path, surrogates):
    environ = {**os.environ, 'TRITON_INTERPRET': '0', 'TRITON_CACHE_DIR': str(tmp_path)}
    command = [sys.executable, '-W', 'ignore', '-c', SCRIPT, *surrogates]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts['kernels'] == 8 + 8 * len(surrogates)
    assert counts['atomics'] == 0
    # One for tanh, in each of its kernels.
    assert counts['reciprocals'] == (8 if 'tanh' in surrogates else 0)
