from .pictures import Pictures as Pictures
