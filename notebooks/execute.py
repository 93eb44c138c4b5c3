"""Execute all notebooks of this folder and keep what they print: ``make notebooks``.

Execution times are not kept, so that a run that changes nothing changes no file.
"""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

for path in sorted(Path(__file__).parent.glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, kernel_name="python3", record_timing=False).execute()
    nbformat.write(notebook, path)
    print(path.name)
