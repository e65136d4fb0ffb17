"""Packaging; the version bounds are mmdet_kdrank/environment/families.py's, as on import."""

import re
import runpy
import shutil
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
BOUNDS = runpy.run_path(str(ROOT / 'mmdet_kdrank' / 'environment' / 'families.py'))
VERSION = re.search(
    r"__version__ = '(.+)'", (ROOT / 'mmdet_kdrank' / '__init__.py').read_text()
).group(1)
README = ROOT / 'README.md'
CSRC = 'mmdet_kdrank/ops/csrc'
# What MIM and MMEngine look for in an installed package. Tools that only serve a checkout stay out.
MIM = (
    'model-index.yml',
    'configs/**/*.py',
    'configs/**/metafile.yml',
    'tools/compare.py',
    'tools/train.py',
    'tools/test.py',
    'tools/make_shapes.py',
    'tools/*.sh',
)


class BuildPy(build_py):
    """Copies :data:`MIM` to ``mmdet_kdrank/.mim`` in what is built, and never in the checkout.

    An editable install goes without: there the checkout's own folders are at hand.
    """

    def run(self) -> None:
        """Build the package and what goes beside its modules."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / 'mmdet_kdrank' / '.mim'
        # build/ may be left from an earlier call, with files that are no longer shipped.
        shutil.rmtree(target, ignore_errors=True)
        for pattern in MIM:
            for file in ROOT.glob(pattern):
                copy = target / file.relative_to(ROOT)
                self.mkpath(str(copy.parent))
                self.copy_file(str(file), str(copy))


setup(
    name='mmdet_kdrank',
    version=VERSION,
    description='Knowledge distillation with a Kendall ranking loss for MMDetection',
    long_description=README.read_text(encoding='utf-8') if README.is_file() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    author='mmdet_kdrank contributors',
    keywords=[
        'object detection',
        'knowledge distillation',
        'MMDetection',
        'Kendall tau',
        'ranking loss',
    ],
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Typing :: Typed',
    ],
    entry_points={'console_scripts': ['kdrank = mmdet_kdrank.cli:main']},
    packages=find_packages(include=['mmdet_kdrank', 'mmdet_kdrank.*']),
    include_package_data=True,
    cmdclass={'build_py': BuildPy},
    # Optional: without a compiler the package installs all the same, and 'auto' says what it takes
    # instead. The limited API makes one build serve every Python from 3.10 on.
    ext_modules=[
        Extension(
            'mmdet_kdrank.ops._native',
            sources=[f'{CSRC}/native.c'],
            depends=[f'{CSRC}/{name}.h' for name in ('lanes', 'panel', 'steep')],
            extra_compile_args=['-O3', '-g0', '-pthread', '-Wno-psabi'],
            extra_link_args=['-pthread', '-ldl'],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={'bdist_wheel': {'py_limited_api': 'cp310'}},
    python_requires=str(BOUNDS['PYTHON']).removeprefix('python'),
    # Neither family by name: both install the same modules, so pip would put one over the other.
    install_requires=[*map(str, BOUNDS['SHARED'].values()), 'jinja2', 'matplotlib', 'scipy'],
    extras_require={
        **{family.name.lower(): family.requirements() for family in BOUNDS['FAMILIES']},
        'demo': ['tensorboard'],
        'tests': ['hypothesis', 'pytest', 'pytest-xdist', 'scikit-learn'],
    },
    zip_safe=False,
)
