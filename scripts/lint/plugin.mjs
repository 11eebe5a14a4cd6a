/**
 * The part of the layer rules that import rules cannot express: only @heddle/kernels may name WebGPU's
 * objects or contain shader code. `.oxlintrc.json` switches the rule on for every other package.
 */

const shaderMarks = /@compute\b|@workgroup_size\b|var<(?:storage|workgroup|uniform)\b/;

const noGpu = {
  create(context) {
    const report = (node, found) =>
      context.report({
        node,
        message: `${found} outside @heddle/kernels: use its tensors and ops, or add an op there.`,
      });
    return {
      Identifier(node) {
        if (/^GPU[A-Z]/.test(node.name)) report(node, node.name);
      },
      MemberExpression(node) {
        if (node.object.name === "navigator" && node.property.name === "gpu") report(node, "navigator.gpu");
      },
      Literal(node) {
        if (typeof node.value === "string" && shaderMarks.test(node.value)) report(node, "WGSL");
      },
      TemplateElement(node) {
        if (shaderMarks.test(node.value.raw)) report(node, "WGSL");
      },
    };
  },
};

/** `import("@heddle/x").Type` slips past no-restricted-imports, so that it is not allowed at all. */
const noInlineImportType = {
  create(context) {
    return {
      TSImportType(node) {
        if (!node.source.value.startsWith("@heddle/")) return;
        context.report({ node, message: 'Write `import type { … } from "…"` at the top instead.' });
      },
    };
  },
};

export default {
  meta: { name: "heddle" },
  rules: { "no-gpu": noGpu, "no-inline-import-type": noInlineImportType },
};
