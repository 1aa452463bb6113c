"""What the first document's pipeline calls as `register_model.py --run-id ${{ github.run_id }} --model-name …`."""
import argparse

import mlflow

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--model-name", required=True)
    args = parser.parse_args()
    version = mlflow.register_model(f"runs:/{args.run_id}/model", args.model_name)
    print(f"registered {version.name} version {version.version}")
