# scripts/deploy.py
import argparse
import mlflow
from mlflow.tracking import MlflowClient

def deploy_model(version: str, env: str, endpoint: str):
    """部署模型"""
    client = MlflowClient()
    
    # 获取模型
    model_uri = f"models:/production-model/{version}"
    model = mlflow.pyfunc.load_model(model_uri)
    
    # 部署到目标环境 (简化示例)
    if env == "staging":
        deploy_to_k8s(model, namespace="staging", endpoint=endpoint)
    else:
        deploy_to_k8s(model, namespace="production", endpoint=endpoint)
    
    # 更新模型阶段
    client.transition_model_version_stage(
        name="production-model",
        version=version,
        stage="Production" if env == "prod" else "Staging"
    )
    
    print(f"✓ Model {version} deployed to {env}")

def deploy_to_k8s(model, namespace: str, endpoint: str):
    """部署到Kubernetes (示例)"""
    # 实际实现使用Kubernetes API或Helm
    print(f"Deploying to {namespace} at {endpoint}")
    # ...

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--env", required=True, choices=["staging", "prod"])
    parser.add_argument("--endpoint", required=True)
    args = parser.parse_args()
    
    deploy_model(args.version, args.env, args.endpoint)
