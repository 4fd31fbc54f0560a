"""Training script for SageMaker's training toolkit. The container must have faceae."""

import sys

from faceae.sagemaker import train

if __name__ == "__main__":
    sys.exit(train(sys.argv[1:]))
