// Asks GitHub's own parser: JSON lines {file, text} in, one line each out:
//   {"errors": [message, …]} or {"model": {on, jobs, concurrency}}
// The model is what both parsers can be compared by; expressions stand as they are written.
import { createInterface } from "node:readline";
import { FeatureFlags } from "@actions/expressions/features";
import { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } from "@actions/workflow-parser";
import { getWorkflowSchema } from "@actions/workflow-parser/workflows/workflow-schema";
import { TemplateContext, TemplateValidationErrors } from "@actions/workflow-parser/templates/template-context";
import { BasicExpressionToken, MappingToken, SequenceToken } from "@actions/workflow-parser/templates/tokens/index";

function plain(token) {
  if (token === undefined || token === null) return null;
  if (token instanceof BasicExpressionToken) {
    const parts = token.originalExpressions ?? [token];
    return { expressions: parts.map((part) => part.expression) };
  }
  if (token instanceof SequenceToken) return Array.from({ length: token.count }, (_, i) => plain(token.get(i)));
  if (token instanceof MappingToken) {
    return { members: Array.from({ length: token.count }, (_, i) => [plain(token.get(i).key), plain(token.get(i).value)]) };
  }
  return token.value ?? null;
}

function stepOf(step) {
  const out = { id: step.id };
  for (const kind of ["run", "uses", "wait", "wait-all", "cancel", "parallel"]) {
    if (step[kind] === undefined) continue;
    out.kind = kind;
    if (kind === "parallel") out.steps = step.parallel.map(stepOf);
    else if (kind === "wait") out.text = step.wait.map(plain);
    else if (kind !== "wait-all") out.text = plain(step[kind]);
  }
  if (step.name !== undefined && ["run", "uses"].includes(out.kind)) out.name = plain(step.name);
  if (step.if !== undefined) out.if = step.if.expression;
  if (step.background !== undefined) out.background = step.background;
  if (step.env !== undefined) out.env = plain(step.env);
  return out;
}

function jobOf(job) {
  const out = { id: job.id.value, name: plain(job.name), needs: (job.needs ?? []).map((need) => need.value), if: job.if.expression };
  if (job.type === "job") out.steps = job.steps.map(stepOf);
  else out.uses = job.ref.value;
  for (const key of ["env", "strategy", "concurrency", "environment", "outputs", "container", "services", "runs-on"]) {
    if (job[key] !== undefined) out[key] = plain(job[key]);
  }
  if (job["input-values"] !== undefined) out.with = plain(job["input-values"]);
  if (job["secret-values"] !== undefined) out.secrets = plain(job["secret-values"]);
  if (job["inherit-secrets"]) out.secrets = "inherit";
  return out;
}

const FLAGS = new FeatureFlags({ all: true });

async function answer(request) {
  // The parser reads the flags from the context, which it otherwise makes itself.
  const context = new TemplateContext(new TemplateValidationErrors(), getWorkflowSchema(), new NoOperationTraceWriter());
  context.state.featureFlags = FLAGS;
  const { value } = parseWorkflow({ name: request.file, content: request.text }, context);
  let errors = context.errors.getErrors();
  if (errors.length > 0 || value === undefined) return { errors: errors.map((e) => e.message) };
  const template = await convertWorkflowTemplate(context, value, undefined, { featureFlags: FLAGS });
  errors = context.errors.getErrors();
  if (errors.length > 0) return { errors: errors.map((e) => e.message) };
  return { model: { on: template.events, jobs: template.jobs.map(jobOf), concurrency: plain(template.concurrency), env: plain(template.env) } };
}

for await (const line of createInterface({ input: process.stdin })) {
  let out;
  try {
    out = await answer(JSON.parse(line));
  } catch (error) {
    out = { errors: [`thrown: ${error.message}`] };
  }
  process.stdout.write(JSON.stringify(out) + "\n");
}
