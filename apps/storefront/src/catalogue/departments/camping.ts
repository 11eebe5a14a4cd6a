import { kind, variant, type Department } from "../product.ts";

export const camping: Department = {
  id: "camping",
  name: { en: "Camping", zh: "露营" },
  kinds: [
    kind("tent", "Tents", "帐篷", 129,
      variant("dome tent", "穹顶帐篷", "Stands by itself, on rock and on sand.", "不用地钉也能立住，岩石沙地都行。"),
      variant("tunnel tent", "隧道帐篷", "Room for two and for everything that got wet.", "住得下两个人，也放得下所有湿了的东西。"),
      variant("bell tent", "钟形帐篷", "One pole in the middle, headroom all around.", "中间一根杆，四周都站得直。")),
    kind("sleeping-bag", "Sleeping bags", "睡袋", 79,
      variant("mummy sleeping bag", "木乃伊睡袋", "Snug to the nose on nights of frost.", "霜夜里裹到鼻尖也暖和。"),
      variant("quilt sleeping bag", "被式睡袋", "Opens flat as a blanket when the night is mild.", "天气温和时摊开就是一床被子。"),
      variant("double sleeping bag", "双人睡袋", "Two zips, two sleepers, one warm bag.", "两条拉链，两个人，一个暖窝。")),
    kind("mat", "Sleeping mats", "防潮垫", 39,
      variant("folding mat", "折叠防潮垫", "Folds like an accordion and never needs air.", "像手风琴一样折起，永远不用充气。"),
      variant("air mat", "充气睡垫", "Ten breaths, then a night without stones.", "吹十口气，一夜感觉不到石子。"),
      variant("roll mat", "卷式防潮垫", "Rolls up under the lid of any pack.", "卷起来就能塞在背包盖下。")),
    kind("stove", "Camp stoves", "露营炉", 49,
      variant("gas stove", "气炉", "Boils a litre in the time it takes to find the cups.", "找杯子的功夫，一升水就开了。"),
      variant("wood stove", "柴炉", "Burns twigs and cones, so the fuel grows where you walk.", "烧树枝和松果，走到哪里都有燃料。"),
      variant("spirit stove", "酒精炉", "No pump, no hiss, nothing that can break.", "没有泵，没有噪声，也没有会坏的零件。")),
    kind("lantern", "Lanterns", "提灯", 29,
      variant("camp lantern", "营地提灯", "A warm circle of light for cards and late soup.", "一圈暖光，打牌、喝夜汤都够用。"),
      variant("candle lantern", "烛光提灯", "Real flame behind real glass, for eight hours.", "真玻璃后的真火苗，可燃八小时。"),
      variant("folding lantern", "折叠提灯", "Flat in the pocket, bright on the branch.", "收起来扁扁一片，挂在枝头很亮。")),
  ],
};
