import { kind, variant, type Department } from "../product.ts";

export const coffee: Department = {
  id: "coffee",
  name: { en: "Coffee", zh: "咖啡" },
  kinds: [
    kind("grinder", "Grinders", "磨豆机", 45,
      variant("hand grinder", "手摇磨豆机", "Sixty turns of the crank, and the kitchen wakes up.", "摇六十圈，厨房就醒了。"),
      variant("box grinder", "木箱磨豆机", "A drawer full of fine grounds.", "一抽屉细细的咖啡粉。"),
      variant("travel grinder", "旅行磨豆机", "Fits in a mug, and grinds for two.", "能放进杯子里，磨够两人份。")),
    kind("dripper", "Drippers", "滤杯", 22,
      variant("cone dripper", "锥形滤杯", "Spiral ribs, a steady bloom, a clear cup.", "螺旋肋纹，稳定闷蒸，口感干净。"),
      variant("flat dripper", "平底滤杯", "Three small holes and no hurry.", "三个小孔，不慌不忙。"),
      variant("one-cup dripper", "单杯滤杯", "Sits on the mug, for one, at any hour.", "直接架在杯上，随时来一杯。")),
    kind("kettle", "Kettles", "烧水壶", 48,
      variant("gooseneck kettle", "鹅颈壶", "Pours a thread of water where you look.", "细水如线，指哪浇哪。"),
      variant("stovetop kettle", "明火水壶", "Whistles one octave lower than you fear.", "鸣笛比你担心的低一个八度。"),
      variant("enamel kettle", "搪瓷水壶", "Grandmother’s shape, without the dents.", "外婆家的样子，没有磕痕。")),
    kind("mug", "Mugs", "马克杯", 12,
      variant("stoneware mug", "粗陶杯", "Heavy, quiet, and warm on both sides of the handle.", "厚实安静，捧着就暖。"),
      variant("enamel mug", "搪瓷杯", "At home on a fire and on a desk.", "篝火上书桌上都合适。"),
      variant("tall mug", "高身杯", "Holds the second cup as well.", "第二杯也装得下。")),
  ],
};
