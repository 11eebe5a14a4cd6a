import { kind, variant, type Department } from "../product.ts";

export const hiking: Department = {
  id: "hiking",
  name: { en: "Hiking", zh: "徒步" },
  kinds: [
    kind("boots", "Boots", "登山靴", 99,
      variant("trail boots", "林道靴", "Broken in on the first mile, not the tenth.", "第一公里就合脚，不用等到第十公里。"),
      variant("mountain boots", "高山靴", "Stiff enough for scree, kind enough for the way down.", "够硬能走碎石坡，够软能下山。"),
      variant("canvas boots", "帆布靴", "Light boots for dry weather and short days.", "适合晴天和短途的轻便靴。")),
    kind("backpack", "Backpacks", "背包", 69,
      variant("day pack", "日用背包", "Lunch, a jacket, a map, and room for a find.", "放得下午餐、外套、地图和路上的收获。"),
      variant("trekking pack", "重装背包", "Carries a week on the hips and not on the shoulders.", "一周的行李，重量落在腰上而不是肩上。"),
      variant("roll-top pack", "卷口背包", "Rolled shut, it swims better than you do.", "口一卷，比你还不怕水。")),
    kind("poles", "Trekking poles", "登山杖", 35,
      variant("folding poles", "折叠登山杖", "Three pieces that become one in a second.", "三节，一秒合成一根。"),
      variant("telescopic poles", "伸缩登山杖", "Longer downhill, shorter uphill, gone on the bus.", "下坡放长，上坡缩短，上车就收起。"),
      variant("cork-grip poles", "软木柄登山杖", "Cork that takes the shape of your hand.", "软木握柄，越用越合手。")),
    kind("bottle", "Bottles", "水壶", 18,
      variant("steel bottle", "不锈钢水壶", "Survives every fall but the last.", "怎么摔都不怕。"),
      variant("vacuum bottle", "保温水壶", "Tea at dawn, still tea at dusk.", "清晨的茶，黄昏还是热的。"),
      variant("filter bottle", "过滤水壶", "Drink from the brook and think no more of it.", "溪水直接喝，不用多想。")),
  ],
};
