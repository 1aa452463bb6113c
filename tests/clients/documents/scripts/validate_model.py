"""模型质量门禁: 新模型必须优于当前生产模型"""
import json
import argparse
import mlflow

def validate_model(new_metrics_path, production_model_name):
    """对比新模型与生产模型"""

    # 读取新模型指标
    with open(new_metrics_path) as f:  # with自动管理资源,确保文件正确关闭
        new_metrics = json.load(f)  # json.loads将JSON字符串转为Python对象

    # 获取当前生产模型指标(使用别名系统,替代已废弃的 Stage API)
    client = mlflow.tracking.MlflowClient()
    try:  # try/except捕获异常
        prod_mv = client.get_model_version_by_alias(production_model_name, "champion")
    except mlflow.exceptions.MlflowException:
        print("无生产模型,新模型自动通过")
        return True

    prod_run = client.get_run(prod_mv.run_id)
    prod_accuracy = float(prod_run.data.metrics.get("test_accuracy", 0))

    # 门禁规则
    checks = {
        "accuracy_improvement": new_metrics["accuracy"] >= prod_accuracy - 0.01,  # 允许1%下降
        "latency_p95": new_metrics["latency_p95"] < 100,  # P95延迟<100ms
        "min_accuracy": new_metrics["accuracy"] >= 0.85,   # 绝对下限
    }

    print(f"新模型准确率: {new_metrics['accuracy']:.4f}")
    print(f"生产模型准确率: {prod_accuracy:.4f}")

    for check, passed in checks.items():
        status = "✅" if passed else "❌"
        print(f"  {status} {check}: {passed}")

    return all(checks.values())

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--metrics", required=True)
    parser.add_argument("--production-model", required=True)
    args = parser.parse_args()

    passed = validate_model(args.metrics, args.production_model)
    exit(0 if passed else 1)
