"""Write the ``main.py`` of Elastic CI Stacks that exist already."""
