// Writes dist/reference.md: every export of this package with its signature and its comment, from the declarations
// that the compiler has just made.
import { writeFileSync } from "node:fs";
import ts from "typescript";

const entry = "dist/index.d.ts";
const options = { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, types: [] };
const program = ts.createProgram([entry], options);
const checker = program.getTypeChecker();
const file = program.getSourceFile(entry);
if (file === undefined) throw new Error(`${entry} is not there: run the compiler first`);

const printer = ts.createPrinter({ removeComments: true });
const parts = ["# Plug-in kit\n"];
for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(file))) {
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const [declaration] = symbol.declarations ?? [];
  if (declaration === undefined) continue;
  const comment = ts.displayPartsToString(symbol.getDocumentationComment(checker));
  const code = printer.printNode(ts.EmitHint.Unspecified, declaration, declaration.getSourceFile());
  parts.push(`## ${symbol.name}\n`, ...(comment ? [`${comment}\n`] : []), `\`\`\`ts\n${code}\n\`\`\`\n`);
  for (const member of checker.getDeclaredTypeOfSymbol(symbol).getProperties()) {
    const said = ts.displayPartsToString(member.getDocumentationComment(checker));
    if (said) parts.push(`- \`${member.name}\`: ${said}`);
  }
  parts.push("");
}
writeFileSync("dist/reference.md", `${parts.join("\n").trimEnd()}\n`);
